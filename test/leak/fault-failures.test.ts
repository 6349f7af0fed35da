/** Every allocation of the operations of faults and of HMM ranges fails once, and nothing is left in use. */
import { failOnce } from "./fail-once.ts";
import { faultFailures } from "./failures.ts";

failOnce(faultFailures);
