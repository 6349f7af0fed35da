import type { Context } from "./context.ts";
import type { Closable } from "./registry.ts";

/**
 * Hmm.close: closes the migrations first, then the address spaces and whatever their entries hold, then the
 * rest. Throws what closing them threw, after every object was tried.
 */
export function closeAll(ctx: Context): void {
  const errors: unknown[] = [];
  const close = (object: Closable): void => {
    try {
      object.close();
    } catch (error) {
      errors.push(error);
    }
  };
  const registries = [
    ctx.migrations,
    ctx.mms.values(),
    ctx.deviceTables.values(),
    ctx.files.values(),
    ctx.arrays,
    ctx.devmems.values(),
    ctx.memcgs.values(),
  ];
  // Closing an object removes it from its registry, so each registry is copied, when its turn comes.
  for (const registry of registries) for (const object of [...registry]) close(object);
  ctx.log.disable();
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1)
    throw new AggregateError(errors, "hmm.close: parts of the engine could not be closed");
}
