/** The policies of docs/guide/simulating.md print what the page says. */
import { testGuide } from "./simulating-guide.ts";

await testGuide("policies");
