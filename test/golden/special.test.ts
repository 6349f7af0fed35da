/** The engine answers scenarios of files, exclusive and huge pages, swap and KSM as Linux 6.12 did. */
import { testRecords } from "./recorded.ts";

testRecords("special");
