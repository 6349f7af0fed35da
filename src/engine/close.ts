import type { Context } from "./context.ts";

/** Hmm.close: migrations first, then what the entries of address spaces hold, then the rest. */
export function closeAll(ctx: Context): void {
  const errors: unknown[] = [];
  const close = (object: { close(): void }): void => {
    try {
      object.close();
    } catch (error) {
      errors.push(error);
    }
  };
  for (const migration of [...ctx.migrations]) close(migration);
  for (const mm of [...ctx.mms.values()]) close(mm);
  for (const table of [...ctx.tables.values()]) close(table);
  for (const file of [...ctx.files.values()]) close(file);
  for (const array of [...ctx.arrays]) close(array);
  for (const devmem of [...ctx.devmems.values()]) close(devmem);
  for (const memcg of [...ctx.memcgs.values()]) close(memcg);
  ctx.log.disable();
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1)
    throw new AggregateError(errors, "hmm.close: parts of the engine could not be closed");
}
