// What is checked in src, adapters and examples besides the layout, which is Prettier's.
import js from '@eslint/js'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

export default defineConfig(
  { ignores: ['**/dist/'] },
  {
    files: ['**/*.ts'],
    extends: [
      js.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    languageOptions: {
      parserOptions: {
        project: ['tsconfig.json', 'tsconfig.examples.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-nested-ternary': 'error',
      'max-lines-per-function': ['error', { max: 35, skipBlankLines: true, skipComments: true }],

      // `const copy: Fields = Object.create(null)` gives a type to what JavaScript leaves without one, and so does the
      // type of a function. What nobody gave a type is found where it is used, by the other rules about `any`.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      // `!` is forbidden by another rule, so `as` is what is left.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // The type of a credential is a getter of its class and not a property of each.
      '@typescript-eslint/class-literal-property-style': 'off',
      // isolatedDeclarations wants the type of every exported parameter.
      '@typescript-eslint/no-inferrable-types': ['error', { ignoreParameters: true }],
      // What a signature or an object has and nobody here uses.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      // Numbers have one plain form.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowAny: false, allowBoolean: false, allowNullish: false, allowRegExp: false },
      ],
      // A variable that is set to nothing is unset: `env[name] || undefined`.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: true }],
      // `env['NAME']`: a name that nobody has declared.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      // `() => server.close()` and `return resolve(value)` are read at a glance.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // `signal<void>()`: without a value.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // What somebody else threw is thrown on as it is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
    },
  },
  {
    files: ['src/**/*.ts', 'adapters/**/*.ts'],
    rules: {
      // Types bind callers in TypeScript alone. Those in JavaScript are checked when they call.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unnecessary-boolean-literal-compare': 'off',
      // A method in a type is most often a function that knows no `this`; what is wrapped is called with `call`.
      '@typescript-eslint/unbound-method': 'off',
      // An interface beside a class declares what is `undefined` on it, so that a credential need not be narrowed.
      '@typescript-eslint/no-unsafe-declaration-merging': 'off',
      '@typescript-eslint/no-empty-object-type': [
        'error',
        { allowInterfaces: 'with-single-extends' },
      ],
    },
  },
)
