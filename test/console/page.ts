import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { type BrowserProgram, launch } from "./browser.ts";

const PICTURES = join(import.meta.dirname, "..", "..", "docs", "console");
const PATIENCE = 120_000;
/** Larger pictures do not belong into a page of docs. */
const MAX_PICTURE_BYTES = 250_000;
export const DESKTOP = { width: 1000, height: 1020 };
export const PHONE = { width: 360, height: 800 };

/** The console in a browser, and everything that the browser saw of it. */
export class ConsolePage implements AsyncDisposable {
  readonly page: Page;
  readonly address: string;
  readonly urls: string[] = [];
  readonly bodies: string[] = [];
  /** Errors of scripts and refusals by the page's own rules. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;

  private constructor(browser: Browser, page: Page, address: string) {
    this.#browser = browser;
    this.page = page;
    this.address = address;
    page.setDefaultTimeout(PATIENCE);
    page.on("request", (request) => this.urls.push(request.url()));
    page.on("console", (message) => this.complaints.push(message.text()));
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("response", (response) => {
      response.text().then(
        (body) => this.bodies.push(body),
        () => undefined,
      );
    });
  }

  /** Starts a browser, and opens the page as soon as it is served. */
  static async open(program: BrowserProgram, address: string): Promise<ConsolePage> {
    const browser = await launch(program);
    const context = await browser.newContext({ viewport: DESKTOP, colorScheme: "light" });
    const opened = new ConsolePage(browser, await context.newPage(), address);
    await eventually("the console is served", () => opened.page.goto(address));
    return opened;
  }

  async signIn(token: string, namespace = ""): Promise<void> {
    await this.page.getByLabel("Kubernetes token").fill(token);
    await this.page.getByLabel("Namespace").fill(namespace);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  async signOut(): Promise<void> {
    await this.page.getByRole("button", { name: "Sign out" }).click();
    await this.page.getByText("Signed out.").waitFor();
  }

  /** Returns the row of this name in a part of the page. */
  row(part: "keys" | "nodes" | "versions", name: string | RegExp): Locator {
    return this.page.locator(`#${part}`).getByRole("row", { name });
  }

  /** Takes a picture of the window; keeps it in docs/console if CLAVIGER_WRITE_PICTURES is set. */
  async picture(name: string): Promise<void> {
    const bytes = await this.page.screenshot();
    expect(bytes.length).toBeLessThan(MAX_PICTURE_BYTES);
    if (process.env.CLAVIGER_WRITE_PICTURES === undefined) return;
    await mkdir(PICTURES, { recursive: true });
    await writeFile(join(PICTURES, `${name}.png`), bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
