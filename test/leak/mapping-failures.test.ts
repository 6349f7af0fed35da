/** Every allocation of the operations of mappings, and of fork fails once, and nothing is left in use. */
import { failOnce } from "./fail-once.ts";
import { mappingFailures } from "./failures.ts";

failOnce(mappingFailures);
