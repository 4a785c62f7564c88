<?php

/*
 * The pages that a drill's users ask for, through the virtual IP and the site's own PHP workers:
 *
 *     GET  page?n=N     "page N of TOKEN", without the database
 *     GET  session      "session COUNT of TOKEN": one more page of this session
 *     POST row?n=N      "row N of TOKEN": the numbered row is committed
 *     POST file?n=N     "file N of TOKEN": the numbered file is on the shared storage under its name
 *     POST begin, end   "begun TOKEN", "ended TOKEN": the table and the folder are made, removed
 *
 * The text is said only when it is so. 409 says that nothing was written; 410 that the drill is
 * over; 202, of "end" alone, that it is to be asked again; every other failure that it is not known what
 * was done. What writes is asked for by POST, which nobody on the way repeats.
 */

declare(strict_types=1);

const DUPLICATE = 1062;
const CONNECT_SECONDS = 2;
const REMOVE_SECONDS = 20;

function answer(int $status, string $text): never
{
    $body = strtr($text, "\n", ' ') . "\n";
    http_response_code($status);
    header('Content-Type: text/plain; charset=utf-8');
    header('Cache-Control: no-store');
    header('Content-Length: ' . strlen($body));
    exit($body);
}

final class Probe
{
    private string $token;
    private float $until;
    private string $table;
    /** Where the numbered files go; null where nothing is shared. */
    private ?string $folder;
    /** The site itself is on the shared storage. */
    private bool $whole;

    public function __construct(string $settings)
    {
        $told = json_decode((string) file_get_contents($settings), true, 8, JSON_THROW_ON_ERROR);
        $this->token = $told['token'];
        $this->until = (float) $told['until'];
        $this->folder = $told['folder'];
        $this->whole = $told['whole'];
        $this->table = "stillup_drill_{$this->token}";
    }

    public function isOver(): bool
    {
        return microtime(true) > $this->until;
    }

    /** Every page of a site that lives on the storage is read from there, so this one asks it, too. */
    public function page(int $number): string
    {
        if ($this->whole && file_get_contents("{$this->folder}/page") !== $this->token) {
            throw new RuntimeException('the shared storage does not have the page');
        }
        return "page $number of {$this->token}";
    }

    public function session(): string
    {
        if (!session_start()) {
            throw new RuntimeException('the session did not start');
        }
        $count = $_SESSION['stillup_drill'] = ($_SESSION['stillup_drill'] ?? 0) + 1;
        // It says true whatever becomes of it; that the session was not stored is a warning.
        error_clear_last();
        session_write_close();
        if (str_contains(($warning = error_get_last())['message'] ?? '', 'session')) {
            throw new RuntimeException("the session was not stored: {$warning['message']}");
        }
        return "session $count of {$this->token}";
    }

    public function row(int $number): string
    {
        $words = "row $number of {$this->token}";
        $row = $this->database()->prepare("INSERT INTO {$this->table} (n, words, web) VALUES (?, ?, ?)");
        try {
            $row->execute([$number, $words, gethostname()]);
        } catch (PDOException $error) {
            // Asked twice for the same: it is there.
            if (($error->errorInfo[1] ?? 0) !== DUPLICATE) {
                throw $error;
            }
        }
        return $words;
    }

    public function file(int $number): string
    {
        $words = "file $number of {$this->token}";
        $beside = "{$this->folder}/.$number." . bin2hex(random_bytes(4));
        $file = $this->folder === null ? false : @fopen($beside, 'xb');
        if ($file === false) {
            answer(409, 'no storage');
        }
        $text = str_repeat("$words\n", 100);
        if (fwrite($file, $text) !== strlen($text) || !fflush($file) || !fsync($file) || !fclose($file)) {
            throw new RuntimeException('the file was not written');
        }
        if (!rename($beside, "{$this->folder}/$number")) {
            throw new RuntimeException('the file was not named');
        }
        return $words;
    }

    public function begin(): string
    {
        $this->database()->exec(
            "CREATE TABLE IF NOT EXISTS {$this->table} (
                n BIGINT NOT NULL PRIMARY KEY,
                words VARCHAR(100) NOT NULL,
                web VARCHAR(64) NOT NULL
            ) ENGINE = InnoDB CHARACTER SET utf8mb4"
        );
        if ($this->folder !== null) {
            if (!is_dir($this->folder) && !@mkdir($this->folder, 0750) && !is_dir($this->folder)) {
                answer(409, 'the folder on the shared storage cannot be made');
            }
            if (file_put_contents("{$this->folder}/page", $this->token) !== strlen($this->token)) {
                throw new RuntimeException('the shared storage takes no file');
            }
        }
        return "begun {$this->token}";
    }

    public function end(): string
    {
        if ($this->folder !== null) {
            // Not there may mean that the storage is away: then the files would stay.
            if (!is_dir(dirname($this->folder))) {
                answer(409, 'the shared storage is away');
            }
            $this->removeFolder($this->folder);
        }
        $this->database()->exec("DROP TABLE IF EXISTS {$this->table}");
        return "ended {$this->token}";
    }

    /** Other web servers may be at it, too: what is gone is gone. */
    private function removeFolder(string $folder): void
    {
        $until = microtime(true) + REMOVE_SECONDS;
        foreach (is_dir($folder) ? scandir($folder) : [] as $name) {
            if ($name !== '.' && $name !== '..') {
                @unlink("$folder/$name");
            }
            if (microtime(true) > $until) {
                answer(202, 'some files are left');
            }
        }
        clearstatcache();
        if (is_dir($folder) && !@rmdir($folder)) {
            clearstatcache();
            is_dir($folder) && answer(202, 'some files are left');
        }
    }

    private function database(): PDO
    {
        try {
            return new PDO(
                sprintf('mysql:host=%s;dbname=%s;charset=utf8mb4', getenv('DB_HOST'), getenv('DB_NAME')),
                (string) getenv('DB_USER'),
                (string) getenv('DB_PASSWORD'),
                [PDO::ATTR_TIMEOUT => CONNECT_SECONDS, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION],
            );
        } catch (PDOException $error) {
            answer(409, 'no database: ' . $error->getMessage());
        }
    }
}

$deed = basename((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
$number = (int) ($_GET['n'] ?? 0);
$writes = in_array($deed, ['row', 'file', 'begin', 'end'], true);
if ($writes && $_SERVER['REQUEST_METHOD'] !== 'POST') {
    answer(405, 'what writes is asked for by POST');
}
try {
    $probe = new Probe(__DIR__ . '/settings.json');
    if ($deed !== 'end' && $probe->isOver()) {
        answer(410, 'this drill is over');
    }
    $told = match ($deed) {
        'page' => $probe->page($number),
        'session' => $probe->session(),
        'row' => $probe->row($number),
        'file' => $probe->file($number),
        'begin' => $probe->begin(),
        'end' => $probe->end(),
        default => answer(404, 'there is no such page'),
    };
} catch (Throwable $error) {
    answer(500, get_class($error) . ': ' . $error->getMessage());
}
answer(200, $told);
