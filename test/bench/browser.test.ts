/** The bench row of Chromium beside Node runs, and its rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("browser");
