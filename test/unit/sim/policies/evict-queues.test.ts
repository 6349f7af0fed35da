/** Replacement policies that sort pages into several queues equal plain second implementations. */
import { suite } from "uvu";
import { testPairs } from "./plain.ts";

const test = suite("sim: replacement policies with queues");
testPairs(test, { severalQueues: true });
test.run();
