/** The literature's evictions under the managed driver: the same counts as page by page. */
import { suite } from "uvu";
import { testDemandPaging } from "./one-thread.ts";

const test = suite("driver: room by pages, in runs");
testDemandPaging(test, { queues: false });
test.run();
