// A program in CommonJS: require() of a module works from Node 20.19 and 22.12 on, import() everywhere.
const { Hmm } = require("heteromem");
const { simulate } = require("heteromem/sim");

if (typeof Hmm.create !== "function" || typeof simulate !== "function") throw new Error("nothing was loaded");
import("./loading.mjs").then(({ program }) => program()).then((text) => console.log(text));
