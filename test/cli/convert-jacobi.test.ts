/** `heteromem convert` of jacobi, to .hmt and back. */
import { testThereAndBack } from "./there-and-back.ts";

testThereAndBack("jacobi");
