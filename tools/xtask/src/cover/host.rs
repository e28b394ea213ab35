//! Test programs of the host, with coverage, one test at a time.

use super::segments;
use super::told::told;
use crate::places::Place;
use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Where profiles go, from the root.
const FOLDER: &str = "target/places";
/// The compiler with coverage, for the crates of the workspace.
const COMPILER: &str = "scripts/instrumented";
/// How often progress is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// Crates whose tests reach places.
pub const CRATES: [&str; 13] = [
    "devtree",
    "uart",
    "attest",
    "its",
    "pci",
    "rhi",
    "rsi",
    "trust",
    "virtio",
    "datapath",
    "strangers",
    "keyrelease",
    "simulated",
];
/// What one test or run reached: numbers of places.
pub struct Hit {
    pub name: String,
    pub places: BTreeSet<usize>,
}

/// LLVM's tools, as they come with the toolchain.
struct Tools(PathBuf);

impl Tools {
    fn find(root: &Path) -> Result<Self> {
        let sysroot = told(root, "rustc", &["--print", "sysroot"])?;
        let version = told(root, "rustc", &["-vV"])?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc says no host")?;
        let folder = Path::new(&sysroot)
            .join("lib/rustlib")
            .join(host)
            .join("bin");
        ensure!(
            folder.join("llvm-cov").is_file(),
            "no llvm-cov in {}: rustup component add llvm-tools",
            folder.display()
        );
        Ok(Self(folder))
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = Command::new(self.0.join(tool)).args(arguments).output();
        let output = output.with_context(|| format!("cannot run {tool}"))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{tool}: {complaint}");
        Ok(output.stdout)
    }
}

/// One message of cargo, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// A test program.
struct Program {
    package: String,
    /// Its own name, where it is not that of the package.
    name: String,
    file: PathBuf,
    folder: PathBuf,
}

/// One test of one program.
struct Test<'p> {
    program: &'p Program,
    name: String,
}

/// Runs the tests of `packages`, and says which of `places` each one reached.
///
/// # Errors
///
/// Something does not build, or a test fails.
pub fn run(root: &Path, places: &[Place], packages: &[String]) -> Result<Vec<(String, Hit)>> {
    let tools = Tools::find(root)?;
    println!("places: builds the tests with coverage (the first time some minutes)");
    let programs = build(root)?;
    let wanted = |program: &&Program| packages.contains(&program.package);
    let mut tests = Vec::new();
    for program in programs.iter().filter(wanted) {
        let names = names(program)?;
        tests.extend(names.into_iter().map(|name| Test { program, name }));
    }
    println!("places: {} tests, one by one", tests.len());
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let work = Work {
        root,
        tools: &tools,
        places,
        folder: &folder,
        tests: &tests,
        next: AtomicUsize::new(0),
    };
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|job| (job, &work)).collect();
        let workers: Vec<_> = workers
            .into_iter()
            .map(|(job, work)| scope.spawn(move || work.some(job)))
            .collect();
        let mut hits = Vec::new();
        for worker in workers {
            hits.extend(worker.join().map_err(|_| anyhow!("a worker panicked"))??);
        }
        Ok(hits)
    })
}

/// Builds the test programs of all crates: fewer would be built with other features, and so anew.
fn build(root: &Path) -> Result<Vec<Program>> {
    let mut command = Command::new("cargo");
    command
        .current_dir(root)
        .env("RUSTC_WORKSPACE_WRAPPER", root.join(COMPILER));
    command.args([
        "test",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    for package in CRATES {
        command.args(["--package", package]);
    }
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "the tests do not build");
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let programs = messages.filter_map(|message| {
        let folder = message.manifest_path.parent()?.to_owned();
        Some(Program {
            package: package_of(&folder)?,
            name: message.target?.name,
            file: message.executable?,
            folder,
        })
    });
    Ok(programs.collect())
}

/// The crate in this folder, which has its name.
fn package_of(folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_str()?;
    CRATES.contains(&name).then(|| name.to_owned())
}

/// The names of a program's tests.
fn names(program: &Program) -> Result<Vec<String>> {
    let mut command = Command::new(&program.file);
    command
        .args(["--list", "--format", "terse"])
        .current_dir(&program.folder);
    // What it counts before it has a test is of no interest.
    command.env("LLVM_PROFILE_FILE", "/dev/null");
    let output = command.output().context("cannot list tests")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(str::to_owned).collect())
}

/// What the workers share.
struct Work<'w> {
    root: &'w Path,
    tools: &'w Tools,
    places: &'w [Place],
    folder: &'w Path,
    tests: &'w [Test<'w>],
    next: AtomicUsize,
}

impl Work<'_> {
    /// Runs tests until there are none left; the first worker tells how far all are.
    fn some(&self, job: usize) -> Result<Vec<(String, Hit)>> {
        let mut hits = Vec::new();
        let mut told = Instant::now();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(test) = self.tests.get(number) else {
                return Ok(hits);
            };
            if job == 0 && told.elapsed() > PATIENCE {
                println!("places: {number} of {}", self.tests.len());
                told = Instant::now();
            }
            let places = self.one(test, job).with_context(|| test.name.clone())?;
            let Program { package, name, .. } = test.program;
            let name = match name == package {
                true => format!("{package}::{}", test.name),
                false => format!("{package}::{name}::{}", test.name),
            };
            if !places.is_empty() {
                hits.push((package.clone(), Hit { name, places }));
            }
        }
    }

    /// The places that `test` reaches.
    fn one(&self, test: &Test<'_>, job: usize) -> Result<BTreeSet<usize>> {
        let raw = self.folder.join(format!("{job}.profraw"));
        let merged = self.folder.join(format!("{job}.profdata"));
        let program = test.program;
        let mut command = Command::new(&program.file);
        command.args([
            "--exact",
            &test.name,
            "--test-threads",
            "1",
            "--include-ignored",
        ]);
        command
            .current_dir(&program.folder)
            .env("CARGO_MANIFEST_DIR", &program.folder);
        command.env("LLVM_PROFILE_FILE", &raw);
        let output = command.output().context("cannot run a test")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "fails: {said}");
        let (raw, merged) = (path(&raw)?, path(&merged)?);
        self.tools
            .run("llvm-profdata", &["merge", "--sparse", raw, "-o", merged])?;
        let profile = format!("--instr-profile={merged}");
        let mut arguments = vec![
            "export",
            "--skip-functions",
            "--skip-expansions",
            &profile,
            path(&program.file)?,
        ];
        let sources: BTreeSet<_> = self.places.iter().map(|place| &*place.path).collect();
        let sources: Vec<_> = sources
            .iter()
            .map(|source| self.root.join(source))
            .collect();
        for source in &sources {
            arguments.push(path(source)?);
        }
        let json = self.tools.run("llvm-cov", &arguments)?;
        segments::reached(&json, &self.root.to_string_lossy(), self.places)
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}
