import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "src/gen/", "eslint.config.js"] },
  ...tseslint.configs.strict,
);
