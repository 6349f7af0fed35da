/** README's answer to the question where the time of managed memory goes. */
import { testAnswer } from "./answers.ts";

testAnswer("placement");
