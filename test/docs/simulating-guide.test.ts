/** The programs of docs/guide/simulating.md print what the page says. */
import { suite } from "uvu";
import { testPage } from "./programs.ts";

const test = suite("docs: the simulating guide");
await testPage(test, "docs/guide/simulating.md");
test.run();
