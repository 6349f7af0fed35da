/** As page-room-runs, with the policies that keep pages in queues. */
import { suite } from "uvu";
import { testDemandPaging } from "./one-thread.ts";

const test = suite("driver: room by pages, with queues");
testDemandPaging(test, { queues: true });
test.run();
