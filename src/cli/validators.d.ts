/** What checks values by the schemas, which tools/build-validators.mjs writes to build/validators.js. */
declare module "#validators" {
  /** Says whether a value is as the schema demands; then `errors` has what the last one has wrong. */
  interface Validator {
    (value: unknown): boolean;
    errors?: { instancePath: string; message?: string; params: object }[] | null;
  }
  export const config: Validator;
  export const model: Validator;
  export const sweep: Validator;
}
