/** hashjoin, recorded by valgrind's lackey and by the recorder: the same accesses in the same order. */
import { testExample } from "./lackey.ts";

testExample("hashjoin");
