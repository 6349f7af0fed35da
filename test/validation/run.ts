/** Writes docs/validation.md: `npm run validate`. */
import { writeFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import { PAGE, validationPage } from "./page.ts";

const text = await format(await validationPage(), { ...(await resolveConfig(PAGE)), filepath: PAGE });
writeFileSync(PAGE, text);
console.log(`${PAGE} is written`);
