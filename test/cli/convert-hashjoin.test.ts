/** `heteromem convert` of hashjoin, to .hmt and back. */
import { testThereAndBack } from "./there-and-back.ts";

testThereAndBack("hashjoin");
