/** A simulation goes on from a snapshot with its policies where they were. snapshot-groups has others. */
import { suite } from "uvu";
import { testPolicies } from "./continued.ts";

const test = suite("sim: policies in snapshots");
testPolicies(test, { byGroups: false });
test.run();
