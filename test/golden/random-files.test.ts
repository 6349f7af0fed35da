/** The engine answers recorded random operations on files, swap and huge pages as Linux 6.12 did. */
import { testRecords } from "./recorded.ts";

testRecords("random-files");
