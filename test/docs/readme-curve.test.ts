/** README's answer to the question how much memory is enough. */
import { testAnswer } from "./answers.ts";

testAnswer("curve");
