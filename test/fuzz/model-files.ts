/** The model's side of operations on the bytes of files; the records only have operations on pages. */
import { ModelFile } from "../model/file.ts";
import type { World } from "../model/world.ts";
import { digest, type Answer } from "./plan.ts";
import { fileName } from "./view.ts";

export function modelFileOp(world: World, op: string, args: (number | string)[]): Answer | undefined {
  const name = fileName(args);
  const [, , at, length, value, charged] = args.map(Number);
  if (op === "fa") {
    world.faultAround = Number(args[0]);
    return { ret: 0 };
  }
  if (op === "file") {
    world.files.get(name)?.close();
    world.files.set(name, new ModelFile(world, name.startsWith("shm") ? "shm" : "disk", at));
    return { ret: 0 };
  }
  const file = world.files.get(name)!;
  switch (op) {
    case "fr":
      return { data: digest(file.read(at, length)) };
    case "fw":
      return { ...file.write(at, length, (i) => value + i, charged === 1) };
    case "ft":
      return { ret: file.truncate(at) };
    case "fp":
      return { ret: file.punch(at, length) };
    case "fc":
      world.files.delete(name);
      file.close();
      return { ret: 0 };
  }
  return undefined;
}
