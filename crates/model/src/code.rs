//! The table of error codes: stable, append-only; `longshore explain` and the reference come from it.

use std::fmt;

/// The kind of an error: decides exit code and HTTP status, at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The command line or the migration file is wrong.
    Usage,
    /// Something named does not exist.
    NotFound,
    /// The system refused access.
    Permission,
    /// The world is not as the plan needs it.
    Precondition,
    /// Somebody else holds it.
    Busy,
    /// The system cannot do this.
    Unsupported,
    /// A value cannot be moved as planned.
    Data,
    /// Source and target differ.
    Difference,
    /// The machine or the network failed.
    System,
    /// Stopped on request.
    Cancelled,
    /// A defect of longshore itself.
    Internal,
}

/// One row of the table of error codes.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The stable identifier, such as `LS0201`.
    pub id: &'static str,
    /// The kind.
    pub kind: Kind,
    /// A short title.
    pub title: &'static str,
    /// What to do next, in one sentence.
    pub hint: &'static str,
    /// Cause and cure at length.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($name:ident $id:literal $kind:ident $title:literal, $hint:literal, $explanation:literal;)*) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $(#[doc = $title] $name,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The code's row in the table.
            pub fn entry(self) -> Entry {
                match self { $(Code::$name => Entry {
                    id: $id, kind: Kind::$kind, title: $title, hint: $hint, explanation: $explanation,
                },)* }
            }
        }
    };
}

codes! {
    Usage "LS0001" Usage "the command line is wrong",
        "Run the command with --help to see what it takes.",
        "A flag or an argument has a value that the command cannot use.";
    SpecInvalid "LS0002" Usage "the migration file is wrong",
        "Correct the line that is named; `longshore init FROM TO` writes a valid file to start from.",
        "The migration file is YAML with the keys described in the reference. Unknown keys are errors, so that a misspelt rule is never ignored. The message names the file, the line and the column.";
    SpecNoMatch "LS0003" Usage "a rule matches nothing",
        "Correct the name; `longshore plan` lists the tables and columns that exist.",
        "A rule of the migration names a table or a column that the source does not have. A rule that matches nothing is most often a misspelling, and the data it was meant for would have been moved without it.";
    SecretMissing "LS0004" Usage "a secret is not set",
        "Set the environment variable of that name, or put the value into a file named by NAME_FILE.",
        "`${secret:NAME}` in a migration is a reference. It is resolved when the migration runs, from the environment variable NAME or the file that the variable NAME_FILE names. Secrets are never stored in plans, images, logs or reports.";
    UrlInvalid "LS0005" Usage "an address is not understood",
        "Write it as scheme:path or scheme://host/path, for instance sqlite:shop.db or file:out?format=parquet.",
        "Source and target are addressed by URLs. The scheme names the system.";
    UnknownSystem "LS0006" Usage "no connector knows this scheme",
        "Use one of the schemes that the message lists.",
        "The scheme of an address selects the connector. This build has no connector for the one given.";
    NotFound "LS0101" NotFound "it does not exist",
        "Check the path or the name.",
        "A file, folder or database that the command needs is not there. Sources are never created.";
    SourceChanged "LS0102" Precondition "the source changed since the plan was made",
        "Make a new plan and start again, or restore the source.",
        "A plan is made for one state of the source: its tables, columns and kinds of values. The source no longer fits it, so going on could lose data.";
    ValueUnplanned "LS0103" Data "a value is of a kind that the plan did not see",
        "Make a new plan: the source got values of a new kind since the old one was made.",
        "Columns without enforced types are scanned when the plan is made, and the plan fixes how each column travels. A value of another kind appeared afterwards. Nothing was converted by guess; the chunk was rolled back.";
    SourceUnreadable "LS0104" Data "the source cannot be read",
        "Restore what is damaged (for SQLite, PRAGMA integrity_check finds it). A damaged file in a target: delete it, and `longshore verify --repair` writes it anew.",
        "The source returned data that is not well-formed: a damaged file, a ragged row, a truncated block. The position is in the message.";
    SnapshotLost "LS0105" System "the view of the source is gone",
        "Run the same command again: what arrived is kept where the source still holds the same.",
        "All readers share one consistent view of the source, which one connection holds. That connection has ended, so no reader can join the view any more. The run stops rather than mix two states; started again it takes a new view and keeps every table whose rows are still the same.";
    PositionApart "LS0106" Unsupported "this process cannot read what the others read",
        "Stop what writes to the source and start this process again, or run the migration with one process.",
        "The processes of a run must read one state of the source. Where the source lets no other process join a view, each takes a view of its own, and they must be at the same position. Something was committed in the source after the process with index 0 took its view, so this process would mix two states; it copied nothing. The others go on without it.";
    TargetNotEmpty "LS0201" Precondition "the target already holds data",
        "Choose what to do with it: `existing: append`, `truncate` or `replace` in the move, or --existing on the command line.",
        "A migration never writes over data by default. append adds rows to the tables that are there; truncate empties them first; replace drops and makes them anew. For trees of objects there is also mirror, which writes what differs and removes what the source lacks.";
    TargetBusy "LS0202" Busy "another run holds the target",
        "Wait for it to end, or stop it; the message names the holder.",
        "Only one run at a time writes into a target. The lock is released by the operating system when its holder ends, however it ends.";
    OtherPlan "LS0203" Precondition "the target holds an unfinished run of another plan",
        "Finish that run with its own migration file, or start over with --existing replace.",
        "The ledger in the target belongs to a run of another plan that has not ended. Mixing two plans would leave a target that neither describes.";
    StorageFull "LS0204" System "no space is left",
        "Free space and run the same command again: finished chunks are kept.",
        "The target's disk or quota is full. The open chunk was rolled back; the ledger is intact.";
    LeaseLost "LS0205" Busy "the chunk is another process's",
        "Nothing has to be done: the chunk is copied by the process that has it now.",
        "Processes of a run have leases of the chunks that they are at. A lease that was not renewed in time, because its process slept or was cut off, has expired, and the target refused the chunk: nothing of it was written by this process.";
    SessionEnded "LS0206" Busy "the session of the run has ended",
        "Nothing has to be done: the process waits for the next session.",
        "The process with index 0 of the run was started again and claimed the target anew. What the others had not committed before was refused; they join again, at the position that it reads now.";
    SessionMissing "LS0207" Busy "no process has opened a session of this migration",
        "Start the process with index 0, with the same migration and plan, or look why it ended; --wait sets how long is waited for it.",
        "The processes with an index above 0 copy chunks when the process with index 0 has claimed the target and made it ready. They wait as long as some process holds the target, and for a bounded time while none does.";
    ValueRefused "LS0301" Data "a value cannot be kept exactly, and the policy is to fail",
        "Set the policy that the message names, if the loss is acceptable, and make a new plan.",
        "The target cannot hold this value as it is. Each kind of loss has a policy; its default is fail. The plan predicts these values with their number where the data was scanned.";
    ValueInvalid "LS0302" Data "a value does not fit the type asked for",
        "Correct the data, or ask for another type under `types`.",
        "A rule under `types` asks for a conversion that this value does not allow, or a text file holds a value that is not of its column's type.";
    TypeUnsupported "LS0303" Unsupported "a type cannot be moved",
        "Drop the column under `columns`, or ask for another type under `types`.",
        "The connector has no exact form for this type.";
    Unsupported "LS0304" Unsupported "the system cannot do this",
        "See the capabilities of the connector in the reference.",
        "The migration asks for something that this source or target does not offer. It is refused when the plan is made, not ignored when it runs.";
    RowRefused "LS0305" Data "the target refuses a row",
        "Compare the row's keys with what the target holds; --existing truncate or replace starts from empty tables.",
        "A constraint of the target's table, such as a unique key, NOT NULL or CHECK, refuses a row of the source. Rows that were there before the run are the usual cause. The open chunk was rolled back.";
    Difference "LS0401" Difference "source and target differ",
        "See the differences in the report; `longshore verify --repair` mends them.",
        "Verification compared the fingerprints taken from the bytes that were read with what the target holds now, and they differ.";
    LedgerMissing "LS0402" Precondition "the target has no ledger of this migration",
        "Run the migration first, or compare both sides afresh with verify --independent.",
        "Verification needs the fingerprints that a run left in the target's ledger.";
    FidelityMismatch "LS0403" Difference "losses were not as predicted",
        "Compare the three columns of the fidelity table in the report; a source that changed since the plan explains a difference.",
        "Every loss is predicted by plan, counted by run and reconciled by verify. The three must agree.";
    RowsUnattributed "LS0404" Unsupported "these rows cannot be repaired one by one",
        "Run the migration again with --existing replace.",
        "The differences could not be traced to rows that the source still has.";
    RowsRejected "LS0405" Difference "rows are in reject files, not in the target",
        "Correct the rows in the reject files or the target's rules, and load them; `on-reject: fail` ends a run instead.",
        "The migration says `on-reject: divert`, or a policy says divert: rows that cannot be written go to reject files, each with its cause, its position and its values. Everything else is in the target. The target lacks these rows, so the run does not count as a success.";
    ObjectsMissing "LS0406" Difference "rows name objects that are not in the target",
        "See the names in the report. Where the source lacks them too, correct the rows or say `missing: allow` in the reference.",
        "The migration says under `references` that the values of a column name objects. After rows and objects had moved, the names in the target's rows were compared with the objects in its store or folder. Those that the source has and the target lacks were removed after the copy, or arrived in the source while the run went on; `longshore verify --repair` brings what was lost.";
    Io "LS0501" System "the operating system failed",
        "The cause is in the message; run the same command again when it is mended.",
        "A read or a write failed below longshore. Finished chunks are kept; the same command goes on from there.";
    PermissionDenied "LS0502" Permission "access was refused",
        "Give the user that runs longshore the right that the message names.",
        "The file system or the database refused access.";
    Database "LS0503" System "the database failed",
        "The cause is in the message; run the same command again when it is mended.",
        "The database returned an error that is none of the more exact kinds.";
    DatabaseBusy "LS0504" Busy "the database is locked",
        "Stop what holds the lock and run the same command again.",
        "Another process holds a lock for longer than the retries last.";
    Store "LS0505" System "the store failed",
        "The cause is in the message; run the same command again when it is mended.",
        "A cloud store answered with an error that is none of the more exact kinds, or could not be reached. The request was made several times before. Finished chunks are kept.";
    Cancelled "LS0601" Cancelled "stopped on request",
        "Run the same command again to go on from here.",
        "The run was stopped at a safe point. Finished chunks are kept.";
    ImageInvalid "LS0701" Precondition "an image is not what its digest says",
        "Build or pull the image again; if it happens again, ask who changed it.",
        "Every part of an image is named by the digest of its bytes. A part that is missing, cut, changed, or of a form that no image of a migration has is refused before anything of it is used.";
    ImageName "LS0702" Usage "the name of an image is not understood",
        "Write it as host/repository:tag, for instance registry.example.com/team/shop:1.4.0.",
        "Names of images are those of Docker: a host with a port where it has one, a repository of lower-case parts, a tag or a digest. A name without a host is one of Docker Hub's.";
    ImageMissing "LS0703" NotFound "there is no such image",
        "`longshore images` lists those that are here.",
        "No image of that name, or none for the platform, is where it was looked for.";
    EngineUnusable "LS0704" Unsupported "the engine cannot be sealed",
        "Give a static binary of longshore with --engine FILE.",
        "An image holds nothing but the engine and the migration. So the engine must be static, for a known processor, and a longshore that says what it was built of.";
    SecretOpen "LS0705" Usage "a secret would be sealed",
        "Write ${secret:NAME} in its place, and give its value when the migration runs.",
        "Images are copied, kept and read by many. A password, a key or a token that stands in the migration itself would be in all of them, so building is refused.";
    KeyInvalid "LS0706" Usage "a key is not understood",
        "Make a pair with `longshore key FILE`; public keys of cosign serve as well.",
        "Images are signed with ECDSA on P-256: a private key is PKCS #8 in PEM, a public key a SubjectPublicKeyInfo in PEM.";
    Registry "LS0707" System "a registry failed",
        "The cause is in the message; run the same command again when it is mended: what arrived is kept.",
        "A registry could not be reached, failed, or answered what no registry should. Requests were made several times before, slower each time. Uploads and downloads go on from where they are.";
    RegistryRefused "LS0708" Permission "a registry refused",
        "Check the name, and log in with `docker login HOST` or `podman login HOST`.",
        "The registry does not know what was asked for, or the account may not have it. Credentials are those that docker and podman keep: in $DOCKER_CONFIG or ~/.docker/config.json, $REGISTRY_AUTH_FILE or podman's auth.json, and with the helpers that these files name.";
    SignatureMissing "LS0709" Precondition "the image is not signed with the key",
        "Do not run it. Sign it with `longshore sign IMAGE --key FILE` if it is what you built.",
        "A signature was asked for, and the image or one of the images in it has none that the key proves. It may never have been signed, or have been changed since.";
    EvidenceUnfit "LS0710" Precondition "the run is not one of the image",
        "Name a run of this image; `longshore report --list` lists the runs.",
        "A statement on an image may only say what a run of the very plan that is sealed in it did.";
    PlatformUnreachable "LS0801" System "a platform cannot be reached",
        "Start it, or name its socket with --socket FILE.",
        "Docker, Podman or Kubernetes did not answer, or the connection was lost. What was deployed there goes on without us: `longshore logs NAME --follow` follows it again.";
    PlatformRefused "LS0802" Unsupported "a platform refused",
        "The cause is in the message; `longshore deploy --dry-run` shows what would be sent.",
        "The platform answered that it does not do what it was asked for: a network, a volume or an image that it does not know, a right that the account lacks, a limit that the machine does not have.";
    DeploymentMissing "LS0803" NotFound "there is no such deployment",
        "`longshore status` lists those that were made from here.",
        "Deployments are known where they were made: by a record in the state folder, and by the labels of their containers.";
    DeploymentBusy "LS0804" Busy "another image runs under the name",
        "Wait for it, or end it with `longshore stop NAME`.",
        "A deployment has the name of the migration and its plan unless another is given, and one name runs one image at a time.";
    NotKept "LS1001" NotFound "the server keeps no such thing",
        "List what there is, and check the name.",
        "A migration, a version, a run, a token or a schedule was named that the server does not keep.";
    VersionTaken "LS1002" Busy "the name is taken",
        "Choose another version or another name.",
        "What is kept under a name does not change: a version of a migration always says the same, and a token has one owner.";
    TokenUnknown "LS1003" Permission "the token is not known",
        "Sign in with a token that is known; an administrator makes one with `longshore token make` or on the page of tokens.",
        "Every request to the server names a token, in the header `Authorization: Bearer TOKEN` or by the cookie of the dashboard. The one that was sent was never made, or was revoked.";
    RoleTooLow "LS1004" Permission "the token does not allow this",
        "Ask an administrator for a token with the role that the message names.",
        "Viewers look, operators keep migrations and run them, administrators make tokens.";
    TooManyTries "LS1005" Busy "too many wrong tokens were tried",
        "Wait a minute.",
        "After a few wrong tokens from one address, more are not looked at for a while.";
    RunBusy "LS1006" Busy "it is at work already",
        "Wait until it has ended, or stop it.",
        "One server has a state folder at a time, and a run that has not ended is not begun again.";
    RunOver "LS1007" Precondition "the run has ended",
        "Ask for it again, if it is to go on.",
        "What has ended cannot be stopped.";
    RunLost "LS1008" Precondition "the run cannot be begun again",
        "Ask for it again with its addresses; it goes on with what is in the target.",
        "Passwords are never kept. A run that was given them in its addresses is lost when the server ends. References such as ${secret:NAME} are kept, and found again.";
    RequestInvalid "LS1009" Usage "a request is not understood",
        "The description of the API is at /api/v1/openapi.json.",
        "The path, the parameters or the body of a request are not what the API takes.";
    CrossSite "LS1010" Permission "the request comes from another page",
        "Send the header `X-Longshore: 1` with requests that change something and carry the cookie.",
        "A page of another site could make a browser send requests in your name. Requests that carry the cookie of the dashboard must therefore carry a header that such a page cannot set.";
    Internal "LS0901" Internal "a defect in longshore",
        "Please report it with the message.",
        "Something happened that the program holds to be impossible. Nothing was committed past the last finished chunk.";
}

impl Code {
    /// Finds a code by its identifier, in any case.
    pub fn find(id: &str) -> Option<Code> {
        Self::ALL.iter().copied().find(|code| code.entry().id.eq_ignore_ascii_case(id))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().id)
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn identifiers_are_unique_and_found() {
        for code in Code::ALL {
            assert_eq!(Code::find(&code.entry().id.to_lowercase()), Some(*code));
        }
        assert_eq!(Code::find("LS9999"), None);
    }
}
