import { defineConfig } from 'vite'

// Vite alone asks for a default export. The dashboard card: one file, because HACS takes exactly one, with everything in it.
export default defineConfig({
  publicDir: false,
  // A library leaves this to its user, and a dashboard has no `process`.
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    outDir: 'build',
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 1000,
    // A library keeps its white space otherwise.
    rolldownOptions: { output: { minify: true } },
    lib: { entry: 'src/card/main.ts', formats: ['es'], fileName: () => 'homespin-card.js' },
  },
})
