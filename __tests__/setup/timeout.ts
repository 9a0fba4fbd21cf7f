/** From this project's part of jest.config.js. jest has no timeout of one project's. */
declare const testMinutes: number;

jest.setTimeout(testMinutes * 60_000);
