/** The script and style of a run's page, which tools/build.mjs bundles from page/main.ts to build/page.js. */
declare module "#page" {
  const page: { script: string; style: string };
  export default page;
}
