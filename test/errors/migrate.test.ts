/** Calls of migrations, device memory and exclusive pages refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { migrateRows } from "./rows-migrate.ts";

await refusals(migrateRows);
