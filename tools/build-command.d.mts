/** What tests see of tools/build-command.mjs. */
export function buildTestCommand(): Promise<string>;
