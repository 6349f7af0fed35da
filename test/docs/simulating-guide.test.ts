/** What no other file tests of docs/guide/simulating.md prints what the page says. */
import { testGuide } from "./simulating-guide.ts";

await testGuide("others");
