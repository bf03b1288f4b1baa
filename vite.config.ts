/** How the page of `src/web` becomes `dist/web`: plain files for the daemon to serve, nothing inline, nothing from elsewhere. */
import { defineConfig } from 'vite'

export default defineConfig({
  root: 'src/web',
  base: '/',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../dist/web',
    emptyOutDir: true,
    target: 'es2024',
    // The page's policy allows no inline script and no style attribute in the HTML.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
})
