/** Where our own files lie: `src/*.ts` in a checkout, `dist/*.js` in the package that is built from it. */

/** Two floors up from here, in `src/lib` and in `dist/lib` alike. */
const ROOT = new URL('../../', import.meta.url)

/** A file of the package or the checkout, by its path from the root: `package.json`, `dist/web/`. */
export function packageFile(path: string): URL {
  return new URL(path, ROOT)
}

/** A module that is started rather than imported, beside the one at `from` (its `import.meta.url`); `name` without an ending. */
export function moduleBeside(name: string, from: string): URL {
  return new URL(`${name}.${from.endsWith('.js') ? 'js' : 'ts'}`, from)
}
