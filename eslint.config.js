import js from "@eslint/js";
import tseslint from "typescript-eslint";

/** Names that Node and browsers both have; TypeScript checks them in .ts files. */
const globals = Object.fromEntries(
  [
    "Buffer",
    "TextDecoder",
    "TextEncoder",
    "URL",
    "WebAssembly",
    "clearTimeout",
    "console",
    "performance",
    "process",
    "setTimeout",
  ].map((name) => [name, "readonly"]),
);

const ASSEMBLY = ["assembly/{core,text,workload}/**/*.ts", "test/assembly/**/*.ts"];

export default tseslint.config(
  {
    ignores: ["build/", "dist/", "site/dist/", "coverage/", "test/package/", "test/runner/fixtures/"],
  },
  js.configs.recommended,
  {
    files: [
      "src/**/*.{ts,tsx}",
      "site/**/*.{ts,tsx}",
      "test/**/*.ts",
      "bench/**/*.ts",
      "examples/**/*.ts",
      "tools/**/*.ts",
      "assembly/{uapi,abi}/**/*.ts",
    ],
    ignores: ["test/assembly/**"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" },
      ],
      "@typescript-eslint/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      eqeqeq: ["error", "always", { null: "ignore" }],
    },
  },
  {
    // `using lock = …` holds a lock by being there; tests make callbacks that are async by type only.
    files: ["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts", "examples/**/*.ts"],
    rules: {
      "@typescript-eslint/no-unused-vars": [
        "error",
        {
          argsIgnorePattern: "^_",
          varsIgnorePattern: "^_",
          caughtErrors: "none",
          ignoreUsingDeclarations: true,
        },
      ],
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    // AssemblyScript: TypeScript's grammar with decorators on functions, and types and operators of its own.
    files: ASSEMBLY,
    languageOptions: { parser: tseslint.parser, parserOptions: { allowInvalidAST: true } },
    plugins: { "@typescript-eslint": tseslint.plugin },
    rules: {
      "no-undef": "off",
      "no-unused-vars": "off",
      "no-redeclare": "off",
      "no-loss-of-precision": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "prefer-const": "error",
    },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: { globals },
  },
);
