//! The disk as a folder of this machine, by FUSE: whoever may mount, such as root, needs no other program for that.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    AccessFlags, BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::disk::{Broken, Disk, Number};

/// Nothing is remembered by the system but pages of files.
const TTL: Duration = Duration::ZERO;

/// A disk that several look at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Disk>>);

/// A disk that can be used as a folder until this is dropped.
#[derive(Debug)]
pub(crate) struct Mounted {
    session: Option<BackgroundSession>,
    folder: PathBuf,
}

impl Shared {
    pub(crate) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Mounts it over an empty folder.
    pub(crate) fn mount(&self, folder: &Path) -> io::Result<Mounted> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("skald-test".into()), MountOption::NoAtime];
        let session = fuser::spawn_mount(self.clone(), folder, &config)?;
        Ok(Mounted { session: Some(session), folder: folder.to_owned() })
    }
}

impl Mounted {
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Unmounts it: the system forgets what it has read.
    pub(crate) fn end(mut self) -> io::Result<()> {
        match self.session.take().map_or(Ok(()), BackgroundSession::umount_and_join) {
            // What the killed process had asked for was still under way.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Ok(()),
            ended => ended,
        }
    }
}

impl Filesystem for Shared {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let disk = self.disk();
        match text(name).and_then(|name| disk.find(name)) {
            Some(number) => reply.entry(&TTL, &attributes(&disk, number), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &attributes(&self.disk(), number.into()));
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut disk = self.disk();
        match size.map_or(Ok(()), |size| disk.cut(number.into(), place(size))) {
            Ok(()) => reply.attr(&TTL, &attributes(&disk, number.into())),
            Err(Broken) => reply.error(Errno::EIO),
        }
    }

    fn create(&self, _: &Request, _: INodeNo, name: &OsStr, _mode: u32, _umask: u32, _flags: i32, reply: ReplyCreate) {
        let Some(name) = text(name) else { return reply.error(Errno::EINVAL) };
        let mut disk = self.disk();
        match disk.create(name) {
            Ok(number) => {
                let attributes = attributes(&disk, number);
                reply.created(&TTL, &attributes, Generation(0), FileHandle(0), manner(name));
            }
            Err(Broken) => reply.error(Errno::EIO),
        }
    }

    fn open(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let names = self.disk().names();
        let name = names.iter().find(|(_, other)| *other == u64::from(number)).map_or("", |(name, _)| name.as_str());
        reply.opened(FileHandle(0), manner(name));
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.disk().read(number.into(), place(offset), place(size.into())) {
            Ok(bytes) => reply.data(bytes),
            Err(Broken) => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.disk().write(number.into(), place(offset), data) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or_default()),
            Err(Broken) => reply.error(Errno::EIO),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(self.disk().sync(number.into()), reply);
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(self.disk().sync_names(), reply);
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        found(text(name).map_or(Ok(false), |name| self.disk().remove(name)), reply);
    }

    fn rename(&self, _: &Request, _: INodeNo, from: &OsStr, _: INodeNo, to: &OsStr, _: RenameFlags, reply: ReplyEmpty) {
        let names = text(from).zip(text(to));
        found(names.map_or(Ok(false), |(from, to)| self.disk().rename(from, to)), reply);
    }

    fn readdir(&self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let names = self.disk().names();
        for (place, (name, number)) in (1u64..).zip(names).skip(place(offset)) {
            if reply.add(INodeNo(number), place, FileType::RegularFile, name) {
                break;
            }
        }
        reply.ok();
    }

    fn access(&self, _: &Request, _: INodeNo, _: AccessFlags, reply: ReplyEmpty) {
        reply.ok();
    }
}

/// What SQLite reads and writes comes here each time, so that it can fail; what it maps into its memory cannot.
fn manner(name: &str) -> FopenFlags {
    if name.ends_with("-shm") { FopenFlags::empty() } else { FopenFlags::FOPEN_DIRECT_IO }
}

fn answer(done: Result<(), Broken>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(Broken) => reply.error(Errno::EIO),
    }
}

fn found(done: Result<bool, Broken>, reply: ReplyEmpty) {
    match done {
        Ok(true) => reply.ok(),
        Ok(false) => reply.error(Errno::ENOENT),
        Err(Broken) => reply.error(Errno::EIO),
    }
}

fn text(name: &OsStr) -> Option<&str> {
    name.to_str()
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn attributes(disk: &Disk, number: Number) -> FileAttr {
    let is_folder = number == u64::from(INodeNo::ROOT);
    let size = disk.length(number).unwrap_or_default() as u64;
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: if is_folder { FileType::Directory } else { FileType::RegularFile },
        perm: if is_folder { 0o700 } else { 0o600 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
