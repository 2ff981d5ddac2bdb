// Runs the vendor's own client library against the stand-in; see test_library.py.
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  testMatch: "library.spec.js",
  workers: 1,
  reporter: "line",
  timeout: 60000,
  outputDir: process.env.OUTPUT,
  use: {
    baseURL: process.env.STANDIN,
    launchOptions: { executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] },
  },
});
