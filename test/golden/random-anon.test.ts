/** The engine answers recorded random operations on anonymous memory as Linux 6.12 did. */
import { testRecords } from "./recorded.ts";

testRecords("random-anon");
