/** Simulations step by step, and long ones, of docs/guide/simulating.md print what the page says. */
import { testGuide } from "./simulating-guide.ts";

await testGuide("long runs");
