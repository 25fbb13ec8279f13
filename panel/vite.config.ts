import { defineConfig } from 'vite'

// Vite alone asks for a default export. Relative URLs, so that a proxy may put the page below any prefix; nothing
// is inlined, because the page's content security policy forbids inline scripts and styles.
export default defineConfig({
  base: './',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
})
