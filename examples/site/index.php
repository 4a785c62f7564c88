<?php

/*
 * A guest book: a session (how often you came, and your name), a database, and which servers
 * answered you. Small enough to read, complete enough to be shown to strangers.
 */

declare(strict_types=1);

require __DIR__ . '/database.php';

$path = parse_url($_SERVER['REQUEST_URI'] ?? '/', PHP_URL_PATH);
if ($path !== '/' && $path !== '/index.php') {
    http_response_code(404);
    header('Content-Type: text/plain; charset=utf-8');
    exit("There is no such page. The guest book is at /\n");
}

header('Cache-Control: no-store');
header("Content-Security-Policy: default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'");

session_start();
$_SESSION['secret'] ??= bin2hex(random_bytes(16));
$web = $_SERVER['WEB_SERVER'] ?? (string) gethostname();
$balancer = $_SERVER['HTTP_X_BALANCER'] ?? 'none';
$notice = $_SESSION['notice'] ?? '';
unset($_SESSION['notice']);

function shown(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

/** A form's proof that it came from this session's page; another one each time, as pages are compressed (BREACH). */
function proof(): string
{
    $once = bin2hex(random_bytes(8));
    return $once . hash_hmac('sha256', $once, $_SESSION['secret']);
}

function is_proof(mixed $claim): bool
{
    return is_string($claim) && strlen($claim) === 80
        && hash_equals(hash_hmac('sha256', substr($claim, 0, 16), $_SESSION['secret']), substr($claim, 16));
}

function field(string $name, int $most): string
{
    $value = $_POST[$name] ?? '';
    return is_string($value) ? mb_substr(trim(mb_scrub($value, 'UTF-8')), 0, $most) : '';
}

/** Does what the form asks and returns what to tell the guest; '' when all is well. */
function written(string $web): string
{
    if (!is_proof($_POST['proof'] ?? null)) {
        return 'That form was too old. Please try again.';
    }
    $name = field('name', 60);
    $words = field('words', 500);
    if ($name === '' || $words === '') {
        return 'Please write your name and a few words.';
    }
    $_SESSION['name'] = $name;
    write_entry(database(), $name, $words, $web);
    return '';
}

$entries = null;
try {
    if ($_SERVER['REQUEST_METHOD'] === 'POST') {
        $_SESSION['notice'] = written($web);
        header('Location: ./', true, 303);
        exit;
    }
    $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
    $entries = entries(database(), 20);
} catch (PDOException $error) {
    error_log('guest book: ' . $error->getMessage());
    http_response_code(503);
    header('Retry-After: 5');
    $notice = 'The guest book cannot be opened just now. Please come back in a moment.';
}
?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Guest book</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<header>
  <h1>Guest book</h1>
  <p class="servers">
    Answered by <b id="web"><?= shown($web) ?></b>
    through <b id="balancer"><?= shown($balancer) ?></b>
  </p>
</header>
<main>
<?php if ($notice !== '') { ?>
  <p class="notice" role="status"><?= shown($notice) ?></p>
<?php } ?>
<?php if ($entries !== null) { ?>
  <p class="visits">
    <?= isset($_SESSION['name']) ? 'Welcome back, ' . shown($_SESSION['name']) . '.' : 'Welcome.' ?>

    This is your visit number <b id="visits"><?= (int) $_SESSION['visits'] ?></b>.
  </p>
  <form method="post" action="./">
    <input type="hidden" name="proof" value="<?= proof() ?>">
    <label>Your name
      <input name="name" required maxlength="60" autocomplete="name" value="<?= shown($_SESSION['name'] ?? '') ?>">
    </label>
    <label>A few words
      <textarea name="words" required maxlength="500" rows="3"></textarea>
    </label>
    <button>Write</button>
  </form>
  <section aria-label="Entries">
<?php foreach ($entries as $entry) { ?>
    <article>
      <p><?= nl2br(shown($entry['words'])) ?></p>
      <footer>
        <b><?= shown($entry['name']) ?></b>
        <time><?= shown($entry['written']) ?></time>
        <span>on <?= shown($entry['server']) ?></span>
      </footer>
    </article>
<?php } ?>
<?php if ($entries === []) { ?>
    <p class="empty">Nobody has written yet. Be the first.</p>
<?php } ?>
  </section>
<?php } ?>
</main>
</body>
</html>
