/** The engine answers recorded scenarios of faults, migrations and forks as Linux 6.12 did. */
import { testRecords } from "./recorded.ts";

testRecords("basic");
