/** Every allocation of the operations of drivers and of migrations fails once, and nothing is left in use. */
import { failOnce } from "./fail-once.ts";
import { driverFailures } from "./failures.ts";

failOnce(driverFailures);
