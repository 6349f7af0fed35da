/** The engine answers recorded random operations with exclusive pages and with forks as Linux 6.12 did. */
import { testRecords } from "./recorded.ts";

testRecords("random-fork");
