/** Component tests of the page: a DOM in the process, no browser. The browser's own are in `test/e2e`. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    include: ['test/web/**/*.test.{ts,tsx}'],
    environment: 'happy-dom',
    setupFiles: ['test/web/setup.ts'],
    // One copy of Preact for components and test library alike.
    server: { deps: { inline: [/preact/] } },
    // A DOM for each file takes longer than all of the tests.
    isolate: false,
    restoreMocks: true,
    testTimeout: 10_000,
  },
})
