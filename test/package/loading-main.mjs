import { program } from "./loading.mjs";

program().then((text) => console.log(text));
