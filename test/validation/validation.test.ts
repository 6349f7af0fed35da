/** docs/validation.md is what `npm run validate` writes today. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE, validationPage } from "./page.ts";

const validation = suite("validation");
/** A page without what prettier lays out: blanks, and rules of tables. */
const plain = (text: string): string => text.replace(/[ \t]+/g, "").replace(/^\|[-:|]+\|$/gm, "");
validation("docs/validation.md is up to date; npm run validate writes it", async () => {
  assert.is(plain(readFileSync(PAGE, "utf8")), plain(await validationPage()));
});
validation.run();
