/** README's answer to the question how much is evicted when memory is too small. */
import { testAnswer } from "./answers.ts";

testAnswer("eviction");
