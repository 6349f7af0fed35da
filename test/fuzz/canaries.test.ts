/** The fuzzer notices models that are broken on purpose and shortens each failure. */
import { suite } from "uvu";
import { CANARIES } from "./canaries.ts";
import { notices } from "./notices.ts";

const test = suite("canaries");

notices(test, CANARIES);

test.run();
