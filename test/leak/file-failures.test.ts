/** Every allocation of the operations of files, KSM and swap fails once, and nothing is left in use. */
import { failOnce } from "./fail-once.ts";
import { fileFailures } from "./files.ts";

failOnce(fileFailures);
