/** The same for models whose rules of Linux 7.3 are broken. */
import { suite } from "uvu";
import { NEWER_CANARIES } from "./canaries-newer.ts";
import { notices } from "./notices.ts";

const test = suite("canaries: Linux 7.3");

notices(test, NEWER_CANARIES, "7.3");

test.run();
