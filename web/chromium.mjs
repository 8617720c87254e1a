// Prints the path of a Chromium that needs no package of the system; for tests where there is no other.
process.env.AWS_EXECUTION_ENV ??= "AWS_Lambda_nodejs20.x"; // also unpacks the libraries that it links to
const { default: chromium } = await import("@sparticuz/chromium");
console.log(await chromium.executablePath());
