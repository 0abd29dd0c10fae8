<?php
// PostfixAdmin, whose rows Postfix, Ullage and the IMAP server read.
$CONF['configured'] = true;
$CONF['setup_password'] = ''; // setup.php is not used
$CONF['database_type'] = 'pgsql';
$CONF['database_host'] = '127.0.0.1';
$CONF['database_user'] = 'postfix';
$CONF['database_password'] = '@DATABASE_PASSWORD@';
$CONF['database_name'] = 'postfix';
$CONF['encrypt'] = 'php_crypt:SHA512';
$CONF['domain_path'] = 'YES';      // example.org/anna/
$CONF['domain_in_mailbox'] = 'NO';
$CONF['quota'] = 'YES';
$CONF['domain_quota'] = 'NO';
$CONF['quota_multiplier'] = '1048576'; // its MB are MiB
$CONF['used_quotas'] = 'YES';
$CONF['new_quota_table'] = 'YES';
$CONF['alias_domain'] = 'YES';
$CONF['backup'] = 'NO';
$CONF['emailcheck_resolve_domain'] = 'NO'; // no network here
$CONF['default_aliases'] = ['postmaster' => 'bert@example.org'];
$CONF['show_footer_text'] = 'NO';
$CONF['admin_email'] = 'postmaster@example.com';
$CONF['smtp_server'] = '127.0.0.1';
// A changed quota holds at once, and mail that waits for it is tried again; see ullage-recompute(1).
$CONF['mailbox_postcreation_script'] = 'sudo -n /usr/libexec/ullage/postfixadmin-hook';
$CONF['mailbox_postedit_script'] = 'sudo -n /usr/libexec/ullage/postfixadmin-hook --retry-waiting';
